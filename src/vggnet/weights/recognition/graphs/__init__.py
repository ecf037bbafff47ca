"""The nets that the graphs of ONNX and Caffe spell out."""
