"""The ids of Cloud Run's GPU quotas: tests do not take them from what they test."""

L4 = "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion"
L4_ZONAL = "NvidiaL4GpuAllocPerProjectRegion"
