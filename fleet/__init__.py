"""Archives of photographs: classified chunk by chunk on one machine or on a cluster, and summed up.

No device imports what is in here.
"""
