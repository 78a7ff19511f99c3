"""What simulation and synthesis share: tools, runs of them, work folders, the cache, the artefact."""
