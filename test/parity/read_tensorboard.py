"""Prints what TensorBoard reads in a folder of event files, as JSON: scalars and texts by tag."""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

accumulator = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
accumulator.Reload()
tags = accumulator.Tags()
scalars = {tag: [[e.step, e.value] for e in accumulator.Scalars(tag)] for tag in tags["scalars"]}
# The loader turns simple values into tensors of the plugin "scalars"; texts stay tensors.
tensors = {}
for tag in tags["tensors"]:
    events = accumulator.Tensors(tag)
    plugin = accumulator.SummaryMetadata(tag).plugin_data.plugin_name
    if plugin == "scalars":
        scalars[tag] = [[e.step, e.tensor_proto.float_val[0]] for e in events]
    else:
        tensors[tag] = {"plugin": plugin, "values": [[e.step, e.tensor_proto.string_val[0].decode()] for e in events]}
print(json.dumps({"scalars": scalars, "tensors": tensors}))
