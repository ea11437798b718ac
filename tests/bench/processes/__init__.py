"""Programs that are measured, each in a process of its own. Of this project they import only the handlers."""
