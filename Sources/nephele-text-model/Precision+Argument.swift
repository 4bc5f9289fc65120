import ArgumentParser
import Tensors
import TextModels

extension Precision: ExpressibleByArgument {}
extension CachePrecision: ExpressibleByArgument {}
extension Speculation: ExpressibleByArgument {}
