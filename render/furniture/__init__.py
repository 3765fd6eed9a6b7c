"""Sources of single objects, each giving `scene.Furniture`."""
