"""Series of images to volumes to anatomy: reading CT angiograms, and the stages from the aorta to a tree of coronary arteries."""
