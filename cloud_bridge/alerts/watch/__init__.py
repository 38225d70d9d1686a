"""What is found by watching instead of being told: pure rules from what is known and `now` to sightings."""
