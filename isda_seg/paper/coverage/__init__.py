"""Which models of other libraries ISDA can be used with: every MMSegmentation config, models of torch libraries."""
