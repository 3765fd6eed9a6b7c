"""Object detection over a backbone: boxes, proposals, Fast R-CNN and Faster R-CNN.

Inside this package boxes are *corners* (`boxes.py`); VOC's own convention begins and ends at its edge.
"""
