"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const videos = ["in", "out"].map((key) => byId(`video-${key}`)).filter(Boolean);
  const master = byId("video-out");
  const frameTime = 1 / data.fps;
  const cursors = []; // functions of the time, one a plot over time

  // ---- players in step -------------------------------------------------------------------------------------------
  const duration = () => (Number.isFinite(master.duration) ? master.duration : 0);
  const isPlaying = () => !master.paused && !master.ended;

  function show(t) {
    byId("seek").value = String(t);
    byId("time").textContent = `${t.toFixed(2)} s`;
    cursors.forEach((move) => move(t));
  }

  function seek(t) {
    const at = Math.min(Math.max(t, 0), Math.max(duration() - 1e-3, 0));
    // Half a frame in, so that a decoder cannot round to the frame before.
    videos.forEach((v) => { v.currentTime = Math.min(at + frameTime / 2, Math.max(v.duration - 1e-3, 0)); });
    show(at);
  }

  function toggle() {
    if (isPlaying()) { videos.forEach((v) => v.pause()); return; }
    if (master.ended) seek(0);
    Promise.all(videos.map((v) => v.play())).catch(() => videos.forEach((v) => v.pause()));
  }

  function follow() {
    for (const v of videos) {
      if (v === master || !isPlaying()) continue;
      const lag = master.currentTime - v.currentTime;
      if (Math.abs(lag) > 0.25) v.currentTime = master.currentTime;
      else v.playbackRate = Math.abs(lag) > frameTime / 2 ? 1 + Math.max(-0.1, Math.min(0.1, lag)) : 1;
    }
    if (isPlaying()) show(master.currentTime);
    requestAnimationFrame(follow);
  }

  function step(seconds) {
    videos.forEach((v) => v.pause());
    seek(Math.max(master.currentTime - frameTime / 2, 0) + seconds);
  }

  master.addEventListener("play", () => { byId("play").textContent = "Pause"; });
  for (const event of ["pause", "ended"]) {
    master.addEventListener(event, () => { byId("play").textContent = "Play"; videos.forEach((v) => v.pause()); });
  }
  master.addEventListener("loadedmetadata", () => { byId("seek").max = String(duration()); });
  if (duration()) byId("seek").max = String(duration());
  byId("play").addEventListener("click", toggle);
  byId("back").addEventListener("click", () => step(-frameTime));
  byId("forward").addEventListener("click", () => step(frameTime));
  byId("seek").addEventListener("input", (e) => seek(Number(e.target.value)));
  document.querySelectorAll(".moment").forEach((b) => b.addEventListener("click", () => {
    videos.forEach((v) => v.pause());
    seek(Number(b.dataset.t));
    byId("h-players").scrollIntoView({ block: "start" });
  }));
  const keys = { ArrowLeft: -frameTime, ArrowRight: frameTime, ArrowUp: 1, ArrowDown: -1 };
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const onButton = e.target instanceof HTMLButtonElement;
    if (e.key === " " && !onButton) { e.preventDefault(); toggle(); }
    const scrolls = e.target instanceof Element && e.target.closest(".scroll");
    if (keys[e.key] && !scrolls) { e.preventDefault(); step(keys[e.key]); }
  });

  // ---- plots -----------------------------------------------------------------------------------------------------
  const SVG = "http://www.w3.org/2000/svg";
  function node(name, attributes, parent, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  }

  function ticks(low, high, count) {
    const raw = (high - low) / count;
    const unit = 10 ** Math.floor(Math.log10(raw));
    const size = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= raw);
    const out = [];
    for (let v = Math.ceil(low / size) * size; v <= high + size * 1e-9; v += size) out.push(Math.abs(v) < size * 1e-9 ? 0 : v);
    return out;
  }

  const decades = (low, high) => {
    const out = [];
    for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); p += 1) out.push(10 ** p);
    return out.filter((v) => v >= low * 0.999 && v <= high * 1.001);
  };

  const label = (v) => (Math.abs(v) >= 1e4 || (v !== 0 && Math.abs(v) < 1e-3) ? v.toExponential(0) : String(Number(v.toPrecision(4))));
  const known = (values) => values.filter((v) => v !== null && v !== undefined);

  function lineOf(xs, ys, px, py) {
    let path = "", pen = "M";
    for (let i = 0; i < xs.length; i += 1) {
      if (ys[i] === null || ys[i] === undefined) { pen = "M"; continue; }
      path += `${pen}${px(xs[i]).toFixed(1)} ${py(ys[i]).toFixed(1)}`;
      pen = "L";
    }
    return path;
  }

  // One plot: {title, x: {values..}, series: [{name, xs, ys, kind}], log, band, overTime}
  function plot(id, spec) {
    const holder = byId(id);
    const series = spec.series.filter((s) => s.ys && known(s.ys).length);
    if (!series.length) { holder.textContent = "Nothing could be measured."; holder.style.height = "auto"; return; }
    let cursor = null, geometry = null;

    function draw() {
      const width = holder.clientWidth, height = holder.clientHeight;
      const edge = { left: 52, right: 10, top: 22, bottom: 30 };
      const xs = series.flatMap((s) => s.xs);
      const ys = series.flatMap((s) => known(s.ys));
      let [x0, x1, y0, y1] = [Math.min(...minmax(xs)), Math.max(...minmax(xs)), ...minmax(ys)];
      if (spec.log) { x0 = spec.x0; x1 = spec.x1; y0 = Math.max(y0, y1 / 1e4); } else {
        if (spec.zero) { y0 = Math.min(y0, 0); y1 = Math.max(y1, 0); }
        const room = Math.max((y1 - y0) * 0.06, spec.least || 1e-6);
        y0 -= room; y1 += room;
      }
      if (x1 <= x0) x1 = x0 + 1;
      const f = spec.log ? Math.log10 : (v) => v;
      const px = (v) => edge.left + (f(v) - f(x0)) / (f(x1) - f(x0)) * (width - edge.left - edge.right);
      const py = (v) => height - edge.bottom - (f(Math.max(v, spec.log ? y0 : v)) - f(y0)) / (f(y1) - f(y0)) * (height - edge.top - edge.bottom);
      geometry = { edge, width, x0, x1, px };
      const svg = document.createElementNS(SVG, "svg");
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      svg.setAttribute("role", "img");
      svg.setAttribute("aria-label", spec.title);
      if (spec.band) {
        node("rect", { class: "band", x: px(spec.band[0]), y: edge.top, width: px(spec.band[1]) - px(spec.band[0]), height: height - edge.top - edge.bottom }, svg);
      }
      for (const v of spec.log ? decades(y0, y1) : ticks(y0, y1, height > 200 ? 6 : 4)) {
        node("line", { class: v === 0 ? "zero" : "grid", x1: edge.left, x2: width - edge.right, y1: py(v), y2: py(v) }, svg);
        node("text", { x: edge.left - 6, y: py(v) + 4, "text-anchor": "end" }, svg, label(v));
      }
      const stops = spec.log ? [0.25, 0.5, 1, 2, 4, 8, 12].filter((v) => v >= x0 && v <= x1) : ticks(x0, x1, Math.max(2, Math.floor(width / 90)));
      for (const v of stops) {
        if (v !== stops[stops.length - 1] && px(stops[stops.length - 1]) - px(v) < 44) continue; // names would overlap
        node("text", { x: px(v), y: height - 10, "text-anchor": v === stops[stops.length - 1] && px(v) > width - 40 ? "end" : "middle" }, svg, label(v) + (v === stops[stops.length - 1] ? spec.unit : ""));
        if (spec.log) node("line", { class: "grid", x1: px(v), x2: px(v), y1: edge.top, y2: height - edge.bottom }, svg);
      }
      holder.replaceChildren(svg); // in the page before the names are set: only then has text a length
      let at = edge.left;
      at += node("text", { class: "name", x: at, y: 13 }, svg, spec.title).getComputedTextLength() + 16;
      for (const s of series) {
        node("path", { class: `line c-${s.kind} ${s.dash ? `d-${s.kind}` : ""}`, d: lineOf(s.xs, s.ys, px, py) }, svg);
        at += node("text", { class: `name t-${s.kind}`, x: at, y: 13 }, svg, s.name).getComputedTextLength() + 14;
      }
      if (spec.overTime) cursor = node("line", { class: "cursor", x1: px(x0), x2: px(x0), y1: edge.top, y2: height - edge.bottom }, svg);
    }

    draw();
    new ResizeObserver(draw).observe(holder);
    if (!spec.overTime) return;
    cursors.push((t) => { const x = geometry.px(Math.min(t, geometry.x1)); cursor.setAttribute("x1", x); cursor.setAttribute("x2", x); });
    const jump = (e) => {
      const { edge, width, x0, x1 } = geometry;
      const share = (e.clientX - holder.getBoundingClientRect().left - edge.left) / (width - edge.left - edge.right);
      seek(x0 + share * (x1 - x0));
    };
    holder.addEventListener("pointerdown", (e) => { videos.forEach((v) => v.pause()); jump(e); });
    holder.addEventListener("pointermove", (e) => { if (e.buttons & 1) jump(e); });
  }

  function minmax(values) {
    let low = Infinity, high = -Infinity;
    for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
    return [low, high];
  }

  const t = data.frames.t_s;
  const both = (column) => [
    { name: "input", xs: t, ys: data.frames[`${column.replace("_", "_in_")}`], kind: "in", dash: true },
    { name: "output", xs: t, ys: data.frames[`${column.replace("_", "_out_")}`], kind: "out" },
  ];
  plot("plot-x", { title: "across, px", series: both("x_px"), unit: " s", overTime: true, least: 1 });
  plot("plot-y", { title: "down, px", series: both("y_px"), unit: " s", overTime: true, least: 1 });
  plot("plot-roll", { title: "roll, deg", series: both("roll_deg"), unit: " s", overTime: true, least: 0.02 });
  plot("plot-zoom", { title: "scale, %", series: both("zoom_percent"), unit: " s", overTime: true, least: 0.1 });
  const spectrum = (key) => {
    const hz = data.extra[`hz_${key}`], values = data.extra[`spectrum_${key}`];
    if (!hz) return { xs: [], ys: null };
    const kept = hz.map((_, i) => i).filter((i) => hz[i] >= 0.25 && hz[i] <= 15);
    return { xs: kept.map((i) => hz[i]), ys: kept.map((i) => Math.max(values[i], 1e-3)) };
  };
  plot("plot-spectrum", {
    title: "px RMS", unit: " Hz", log: true, x0: 0.25, x1: 15, band: [1, 12],
    series: [{ name: "input", kind: "in", dash: true, ...spectrum("in") }, { name: "output", kind: "out", ...spectrum("out") }],
  });
  const percent = (values) => (values ? values.map((v) => (v === null ? null : 100 * v)) : null);
  plot("plot-crop", {
    title: "%", unit: " s", overTime: true, zero: true, least: 0.2,
    series: [["left", "out"], ["right", "in"], ["top", "third"], ["bottom", "fourth"]]
      .map(([edge, kind]) => ({ name: edge, xs: t, ys: percent(data.frames[`crop_${edge}`]), kind, dash: true })),
  });

  function map(key) {
    const rows = data.wobble[key], holder = byId(`map-${key}`);
    if (!rows) { if (key === "in") byId("map-in-figure").hidden = true; else holder.textContent = "Nothing could be measured."; return; }
    const high = Math.max(...Object.values(data.wobble).flatMap((grid) => grid.flatMap(known)), 1e-6);
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${rows[0].length * 50} ${rows.length * 34}`);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `wobble map, up to ${high.toFixed(1)} px`);
    rows.forEach((row, i) => row.forEach((value, j) => {
      node("rect", { class: `cell ${key}`, x: j * 50, y: i * 34, width: 50, height: 34, rx: 4, "fill-opacity": value === null ? 0.04 : 0.08 + 0.55 * value / high }, svg);
      node("text", { class: "value", x: j * 50 + 25, y: i * 34 + 21 }, svg, value === null ? "–" : value.toFixed(1));
    }));
    holder.replaceChildren(svg);
  }
  map("out");
  map("in");
  requestAnimationFrame(follow);
})();
