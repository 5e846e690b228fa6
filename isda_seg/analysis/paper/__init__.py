"""The paper's own tables as data, and the configs written from them."""
