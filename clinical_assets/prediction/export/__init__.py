"""Rows of the prediction question as chats, for trainers elsewhere."""
