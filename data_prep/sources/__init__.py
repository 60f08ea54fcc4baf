"""Sources: raw logs of any form -> frames with user, game, title, engagement_hours and, where known, timestamp, split."""
