"""What `make bench` runs: figures as ratios beside a baseline in the same run."""
