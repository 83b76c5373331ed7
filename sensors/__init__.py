"""What starts runs by itself: sensors on the landing folder, automation conditions, schedules, alerts."""
