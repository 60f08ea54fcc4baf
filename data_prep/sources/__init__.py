"""Sources: raw logs -> frames with user, game, title, engagement_hours and, where known, timestamp and split."""
