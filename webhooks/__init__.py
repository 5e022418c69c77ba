"""What arrives over HTTP: Twilio, the coordinators' browsers, other systems."""
