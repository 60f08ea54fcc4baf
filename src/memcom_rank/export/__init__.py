"""Export room (floor 4): a trained model -> a bundle that ranks without torch, as small as its bits say."""
