"""The deploy engine: observe, plan, apply, remove, prove. It does not know which target it works on."""
