"""What a deployment costs a month: computed from its templates, a price list and a workload."""
