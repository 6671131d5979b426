"""The outside world: mail transport, breached-password list. They know no services."""
