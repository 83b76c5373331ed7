"""The device that language models run on, and the pool that gives it to one step at a time."""

import dagster as dg

from clinical_assets.language_models.devices import Device, find_device
from resources.deployment import DeploymentResource

__all__ = ["GPU_POOL", "GpuResource"]

# One model is resident at a time: deploy/dagster.yaml limits every pool to one slot.
GPU_POOL = "gpu"


class GpuResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Finds cuda, mps or cpu, its free memory and whether bfloat16 is fast there. CLINICAL_DEVICE forces one."""

    deployment: dg.ResourceDependency[DeploymentResource]

    @property
    def wanted(self) -> str:
        """What the deployment asks for: auto, cpu, cuda or mps."""
        return self.deployment.settings().device

    def device(self) -> Device:
        """Return the device; DeviceError if the one that is asked for is not there."""
        return find_device(self.wanted)
