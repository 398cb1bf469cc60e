"""What people really have: photographs of a part, read into one Capture."""
