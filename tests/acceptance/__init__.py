"""The library on real parts: a server, worker processes and Flower."""
