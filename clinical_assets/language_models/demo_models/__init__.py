"""Demo models: real architectures with their families' chat templates, a million parameters, trained on this machine in a minute.

They stand in for models of billions of parameters on a machine without weights or GPU, and run through the same code. They
know the phrases of the synthetic hospital and nothing else; what they score says that the machinery works, no more.
"""
