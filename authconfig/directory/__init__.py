"""The talk with a Windows domain's directory, from its controllers to its groups."""
