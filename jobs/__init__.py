"""What happens without being asked: RQ jobs, the workers that run them, and the clock that rings for them."""
