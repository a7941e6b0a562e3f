"""From bytes to a verdict, by HTTP or gRPC. Knows no signal."""
