import ArgumentParser
import Layers
import Tensors
import TextGeneration

extension Precision: ExpressibleByArgument {}
extension ActivationPrecision: ExpressibleByArgument {}
extension CachePrecision: ExpressibleByArgument {}
extension Speculation: ExpressibleByArgument {}
