"""Who held an address: prefix by time by port, over the provider's own lists. Pure: texts in, answers out."""
