"""The encoder, the classifiers over it, the wide part beside it, and how they are trained."""
