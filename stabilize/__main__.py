"""`python -m stabilize`."""

from stabilize.cli import main

if __name__ == "__main__":
    main()
