"""Archives of photographs, classified chunk by chunk on a machine or a cluster, and summed up."""
