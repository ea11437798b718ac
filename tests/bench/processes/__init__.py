"""Programs that are measured, each in a process of its own. They import nothing of this project but the doors."""
