"""Torch networks. Imported only by the code that asks for them."""
