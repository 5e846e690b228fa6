"""What is written from data: the tables of the documentation, the paper's own tables and their configs."""
