"""Classes that a file learns on the device, from photographs."""
