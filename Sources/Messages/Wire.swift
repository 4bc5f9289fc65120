/// The messages of the services, as they travel. `protos/nephele/v1` declares them; `protos/generate` writes them.
///
/// What the bus itself says (`FrameHeader`, `ServiceDescription`, `LoadReport` and the like) stands outside.
package enum Wire {}
