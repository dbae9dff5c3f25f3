"""Published metric programs, reproduced with their quirks so that published tables can be checked and continued."""
