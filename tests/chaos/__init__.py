"""The chaos round: many runs, while workers and the server are killed under them."""
