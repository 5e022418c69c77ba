"""notifier: patients on home infusion are told, heard, and always reach a human."""
