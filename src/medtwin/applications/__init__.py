"""A clinical job from end to end."""
