"""What touches files and streams; the decisions are in the modules above."""
