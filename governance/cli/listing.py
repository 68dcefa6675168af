"""`gov list`: the requests of the store, as the view of them shows."""
