"""What is wrong is refused with an error of the right class, which names the thing and the remedy; workers live on."""
