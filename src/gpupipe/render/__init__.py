"""What people and programs read: the only Rich code besides the commands."""
