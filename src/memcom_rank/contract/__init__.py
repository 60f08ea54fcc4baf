"""Contract room (floor 0): what data_prep and memcom_rank agree on. No torch, no polars."""
