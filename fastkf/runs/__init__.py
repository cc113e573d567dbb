"""A run and its steps as plain data, and what is shown of them."""
