"""The parts of the embedded environment as processes: started, watched, told of, ended."""
