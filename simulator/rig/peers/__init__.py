"""Other people's programs that the benchmark runs beside ours."""
