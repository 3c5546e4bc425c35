//! stub
pub struct GenerateOptions;
pub struct Generation;
pub struct Step;
